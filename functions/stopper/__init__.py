"""Entry point `stopper`: takes away the permission to call `search` when a budget is used up."""
