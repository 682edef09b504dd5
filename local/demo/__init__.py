"""What ``make demo`` runs: `story` and `event_story` say what is shown, on the `stage` of a deployed connector."""
