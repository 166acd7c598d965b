"""What customers see: tokens with which they read their own data, the page, the widget, the demo shop."""
