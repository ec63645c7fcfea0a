"""What WFM says of its people: who is there, who is planned, and when; by REST, CSV and the command line."""
