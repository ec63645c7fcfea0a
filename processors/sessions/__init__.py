"""Session manager: a contact from its decision to its end."""
