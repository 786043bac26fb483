"""Who is at the other end of the cables: what switches say of themselves by LLDP."""
