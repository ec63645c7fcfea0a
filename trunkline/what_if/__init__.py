"""`trunkline wfm what-if`: what the topics hold, laid before the functions of staffing. Composition only."""
