"""Who may do what. Called by the stack alone, so that every right is given in one place."""
