"""Pages in a real browser: the system's Chromium. Skipped where there is none."""
