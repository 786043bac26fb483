"""Root volumes: the steps that the appliance does itself, and exports that are as they are wanted."""
