"""What is on screen, as pure values fed by events. Knows nothing of Textual."""
