"""What VMs use: sampled of their hosts, a week of it kept in bounded space."""
