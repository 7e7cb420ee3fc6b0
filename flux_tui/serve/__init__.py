"""The dashboard as a web page: one process of it for each browser tab, behind a small web server.

Whoever can open the page can run workflows, so most of the care here is about who can: ``access`` decides,
``server`` asks it about every request. Needs the extra ``serve``.
"""
