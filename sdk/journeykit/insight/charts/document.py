"""The head of a page that stands by itself: no script, and nothing from elsewhere."""

from __future__ import annotations

from journeykit.insight.charts.text import safe


def document_head(
    title: str, style: str, *, policy: str, rtl: bool = False, language: str = "en"
) -> str:
    """Return a page's HTML up to its body.

    Args:
        title: What the window is called; plain text.
        style: CSS of ours.
        policy: What the browser may load (Content Security Policy).
        rtl: Whether it runs from right to left.
        language: Its words' language, a BCP 47 tag.
    """
    return f"""<!doctype html>
<html lang="{safe(language)}" dir="{"rtl" if rtl else "ltr"}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{safe(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<link rel="icon" href="data:,">
<title>{safe(title)}</title>
<style>{style}</style>
</head>
"""
