"""Roots that the appliance exports to this machine, by NFS or iSCSI, opened in the maintenance stack for a while."""
