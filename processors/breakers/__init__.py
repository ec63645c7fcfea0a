"""What operators ask of breakers and of the providers behind them, and order."""
