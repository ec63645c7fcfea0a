"""What the topics hold of past volumes and handle times: read whole, kept by cell, filled with zeros."""
