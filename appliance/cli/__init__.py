"""``qrm``: a client of the JSON API, and the commands that run the appliance itself."""
