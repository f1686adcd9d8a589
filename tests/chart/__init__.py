"""The chart, for its tests and for what is generated: paths, rendering, the text of generated templates."""
