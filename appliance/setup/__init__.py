"""Set-up of a flashed appliance: one value, from a seed file or from the browser's five steps, and what follows."""
