deliver_iscsi() { return 2; }
