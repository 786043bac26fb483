"""DNS for the site: its own names with authority, all others through forwarders (RFC 1034, 1035)."""
