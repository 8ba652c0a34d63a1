"""Charts as SVG of our own: no script, nothing loaded, and all numbers in a table, too.

Each chart is a frozen value that says what it shows (`Chart`), and can be drawn in any
width, from left to right or from right to left. Colors are CSS variables with a light
default, so a page may set others for the dark. What tells series apart is never color
alone: fills have patterns, lines have dashes and marks.
"""
