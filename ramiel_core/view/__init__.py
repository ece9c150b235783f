"""Records -> what people look at: figures, pages, DOT, SVG."""
