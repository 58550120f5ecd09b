"""The studio: a page in the browser that shows films while they are rendered, and starts, stops and branches them."""
