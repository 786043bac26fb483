"""A hall of computers without the computers: each asks as firmware, iPXE and the agent do, from power-on to idle."""
