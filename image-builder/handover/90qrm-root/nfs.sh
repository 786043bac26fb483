deliver_nfs() { return 2; }
