"""Redfish (DMTF DSP0266): a controller's HTTPS and JSON."""
