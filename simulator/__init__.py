"""A contact centre and an AI fleet that misbehave on command."""
