"""Charts: inline SVG for the first paint, plotly's basic bundle where a chart is read closely."""
