"""Writing a mail: its structure, Markdown and HTML, attachments that stream, templates."""
