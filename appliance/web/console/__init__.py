"""The console: pages rendered here, refreshed in place while somebody looks at them."""
