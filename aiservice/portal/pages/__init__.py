"""The pages, one module each, with the State beside it. A page registers itself with `@portal_page`."""
