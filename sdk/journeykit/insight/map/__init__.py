"""Maps: journeys and stages laid out, and drawn as SVG, HTML, and Mermaid."""
