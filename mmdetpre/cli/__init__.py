"""The command ``mmdetpre``: one door to the tools that people start by hand."""
