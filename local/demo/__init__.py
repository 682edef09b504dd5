"""What ``make demo`` runs: `story` says what is shown, on the `stage` of a connector that was deployed here."""
