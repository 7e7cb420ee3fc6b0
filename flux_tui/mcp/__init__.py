"""The actions of the dashboard for programs that speak the Model Context Protocol: ``flux mcp``."""
