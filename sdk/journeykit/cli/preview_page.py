"""The page that shows all previews: one file, without script, that loads nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from journeykit.cli.devices import email_details, facts, figures
from journeykit.media.email import Email
from journeykit.workspace.previews import Preview

_NAMES = {
    "email": "E-mail",
    "sms": "SMS",
    "push": "Push",
    "inapp": "In-app",
    "whatsapp": "WhatsApp",
    "chat": "Chat",
}


def page(
    previews: Sequence[Preview], *, name: str, made_at: str, images: bool = False
) -> str:
    """Return the page.

    Args:
        previews: What to show, by template.
        name: The workspace's.
        made_at: What time it was for the templates, in words.
        images: Whether pictures are loaded from where they are.
    """
    pictures = "data: https:" if images else "data:"
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src {pictures}; "
        "base-uri 'none'; form-action 'none'"
    )
    problems = sum(bool(shown.problem) for shown in previews)
    warnings = sum(len(shown.warnings) for shown in previews)
    state = (
        f"<li>{_counted(len(previews), 'message')}</li>"
        f'<li class="{"bad" if problems else "good"}">'
        f"{_counted(problems, 'problem') if problems else 'no problems'}</li>"
        f'<li class="{"odd" if warnings else "good"}">'
        f"{_counted(warnings, 'warning') if warnings else 'no warnings'}</li>"
    )
    by_template = [
        (template, [*group])
        for template, group in groupby(previews, key=lambda shown: shown.template)
    ]
    sections = "".join(
        _section(each, shown, name, images) for each, shown in by_template
    )
    loads = (
        "Pictures are loaded from where they are."
        if images
        else "Pictures are not loaded: boxes and their words stand for them, as in many "
        "mail programs."
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light">
<meta name="referrer" content="no-referrer">
<title>Preview: {escape(name)}</title>
<style>{_STYLE}</style>
</head>
<body>
<a class="skip" href="#messages">To the messages</a>
<header>
<h1>{escape(name)}</h1>
<p>What people get, as of {escape(made_at)}. {loads}</p>
<ul class="state">{state}</ul>
</header>
<nav aria-label="Messages"><ul>{"".join(_entry(*each) for each in by_template)}</ul></nav>
<main id="messages">{sections}</main>
</body>
</html>
"""


def anchor(shown: Preview) -> str:
    """Return the name by which a message is found on the page, and its files' names."""
    words = [shown.template, shown.medium, shown.locale]
    return ".".join(re.sub(r"[^\w.-]+", "-", word) for word in words if word)


def _entry(template: str, group: Sequence[Preview]) -> str:
    links = "".join(
        f'<li><a href="#{escape(anchor(shown))}">{_NAMES[shown.medium]}'
        f"{_tag(shown)}"
        f"{_dot(shown)}</a></li>"
        for shown in group
    )
    return f"<li><b>{escape(template)}</b><ul>{links}</ul></li>"


def _tag(shown: Preview) -> str:
    locale = shown.locale or shown.found
    return f" <small>{escape(locale)}</small>" if locale else ""


def _dot(shown: Preview) -> str:
    if shown.problem:
        return " <span class='mark bad'>can't be sent</span>"
    if shown.warnings:
        return (
            f' <span class="mark odd">{_counted(len(shown.warnings), "warning")}</span>'
        )
    return ""


def _section(template: str, group: Sequence[Preview], app: str, images: bool) -> str:
    articles = "".join(_article(shown, app, images) for shown in group)
    return f"<section><h2>{escape(template)}</h2>{articles}</section>"


def _article(shown: Preview, app: str, images: bool) -> str:
    head = (
        f"<h3>{_NAMES[shown.medium]}"
        f"{_tag(shown)}</h3>"
        f'<p class="by">{escape("; ".join(_origin(shown)))}</p>'
    )
    if shown.body is None:
        problem = (
            f"<p class='problem'><b>Can't be sent.</b> {escape(shown.problem)}</p>"
        )
        return f'<article id="{escape(anchor(shown))}">{head}{problem}</article>'
    numbers = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in facts(shown.body)
    )
    warnings = "".join(f"<li>{escape(warning)}</li>" for warning in shown.warnings)
    if warnings:
        warnings = f'<ul class="warnings" aria-label="Warnings">{warnings}</ul>'
    devices = "".join(figures(shown, app=app, images=images))
    details = email_details(shown.body, shown) if isinstance(shown.body, Email) else ""
    return (
        f'<article id="{escape(anchor(shown))}">{head}<dl class="facts">{numbers}</dl>'
        f'{warnings}<div class="devices">{devices}</div>{details}</article>'
    )


def _origin(shown: Preview) -> Iterator[str]:
    """What there is to say of where a message comes from."""
    if shown.sent_by:
        yield f"sent by {shown.sent_by}"
    else:
        yield "no journey sends it"
    if shown.provider:
        yield f"channel {shown.channel}, by {shown.provider}"
    else:
        yield f"no provider of {shown.medium} is set up, so none is asked for its limits"
    if shown.locale and shown.found != shown.locale:
        yield f"of the template for {shown.found or 'everybody'}"
    if shown.made_up:
        yield f"made up: {', '.join(shown.made_up)}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


_STYLE = """
:root{--ink:#1d2433;--faint:#5b6476;--rule:#dfe3ea;--paper:#fff;--ground:#f3f5f8;
--blue:#0b57d0;--odd:#8a5300;--odd-ground:#fff4dc;--bad:#a8201a;--bad-ground:#fdeceb;
--good:#1b6b3a;--sans:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
*{box-sizing:border-box}
html{color-scheme:light;scroll-padding-top:16px}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 var(--sans);
display:grid;grid-template:auto 1fr/240px minmax(0,1fr);min-height:100vh}
.skip{position:absolute;left:-999px}.skip:focus{left:8px;top:8px;background:#fff;padding:8px}
header{grid-column:1/-1;background:var(--paper);border-bottom:1px solid var(--rule);
padding:22px 32px 18px}
h1{margin:0;font-size:26px;line-height:1.2}
header p{margin:4px 0 10px;color:var(--faint)}
.state{display:flex;flex-wrap:wrap;gap:8px;margin:0;padding:0;list-style:none;font-size:14px}
.state li{border:1px solid var(--rule);border-radius:99px;padding:2px 12px}
.good{color:var(--good)}.odd{color:var(--odd);background:var(--odd-ground)}
.bad{color:var(--bad);background:var(--bad-ground)}
nav{padding:22px 16px 32px 32px;font-size:15px}
nav>ul{position:sticky;top:22px;max-height:calc(100vh - 44px);overflow:auto}
nav ul{list-style:none;margin:0;padding:0}nav>ul>li{margin-bottom:18px}
nav ul ul{margin:4px 0 0;border-inline-start:2px solid var(--rule)}
nav a{display:block;padding:3px 12px;color:var(--ink);text-decoration:none}
nav a:hover,nav a:focus-visible{color:var(--blue);text-decoration:underline}
nav small,h3 small{font-weight:600;font-size:12px;color:var(--faint);background:#e7ebf1;
border-radius:5px;padding:1px 6px;margin-inline-start:4px;vertical-align:1px}
.mark{font-size:12px;border-radius:5px;padding:1px 6px;white-space:nowrap}
main{padding:6px 32px 64px 16px}
section{margin-top:20px}
h2{font-size:22px;margin:0 0 12px}
article{background:var(--paper);border:1px solid var(--rule);border-radius:14px;
padding:20px 24px 24px;margin-bottom:22px}
h3{margin:0;font-size:18px}.by{margin:2px 0 12px;color:var(--faint);font-size:14px}
.facts{display:flex;flex-wrap:wrap;gap:8px 28px;margin:0 0 14px;font-size:14px}
.facts dt{color:var(--faint)}.facts dd{margin:0;font-weight:600;overflow-wrap:anywhere}
.warnings{margin:0 0 16px;padding:10px 16px 10px 34px;background:var(--odd-ground);
border-radius:10px;color:var(--odd);font-size:15px}
.problem{margin:0;padding:12px 16px;background:var(--bad-ground);color:var(--bad);
border-radius:10px;overflow-wrap:anywhere}
.devices{display:flex;flex-wrap:wrap;gap:28px;align-items:flex-start}
figure{margin:0}figcaption{color:var(--faint);font-size:13px;margin-top:8px;
text-align:center;max-width:420px;margin-inline:auto}
.faint{color:var(--faint);font-weight:400}.link{color:var(--blue);text-decoration:underline;
overflow-wrap:anywhere}.note{font-size:14px;color:var(--faint)}
.note kbd{font:15px var(--sans);background:#e7ebf1;border-radius:4px;padding:0 5px}
iframe{display:block;border:0;background:#fff;max-width:100%}
.window{flex:1 1 560px;max-width:760px;border:1px solid #cfd5df;border-radius:12px;
overflow:hidden;background:#fff;box-shadow:0 6px 22px rgba(29,36,51,.08)}
.window figcaption{margin:0;max-width:none;padding:8px;border-top:1px solid var(--rule);
background:#f8f9fb}
.inbox{display:flex;gap:12px;align-items:center;padding:10px 16px;background:#eef3fc;
border-bottom:1px solid var(--rule);font-size:14px}
.inbox .line{flex:1;min-width:0;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.inbox .from{font-weight:700;max-width:150px;white-space:nowrap;overflow:hidden;
text-overflow:ellipsis}
.avatar{flex:none;width:28px;height:28px;border-radius:50%;background:var(--blue);
color:#fff;display:grid;place-items:center;font-weight:700;font-size:13px}
.subject{font-size:20px;padding:14px 18px 2px;line-height:1.3}
.sender{padding:0 18px 10px;font-size:13px;border-bottom:1px solid var(--rule)}
.phone .screen{display:flex;flex-direction:column;width:320px;border:9px solid #20242c;border-radius:36px;overflow:hidden;
background:#fff;box-shadow:0 8px 24px rgba(29,36,51,.16)}
.phone.mail .screen{width:393px}
.phone.mail .subject{font-size:18px;padding-top:20px}
.bar{background:#f3f4f6;border-bottom:1px solid #d9dde4;text-align:center;font-weight:600;
font-size:15px;padding:16px 12px 9px}
.talk{flex:1;min-height:230px;padding:18px 14px;display:flex;flex-direction:column;gap:8px}
.bubble{margin:0;max-width:86%;align-self:flex-start;border-radius:18px;
border-end-start-radius:5px;padding:9px 13px;font-size:15px;line-height:1.4;
overflow-wrap:anywhere}
.bubble p{margin:0}.gray{background:#e9e9eb}
.sheet{flex:1 1 260px;max-width:460px}
.segments{margin:0;padding:0;list-style:none;counter-reset:part}
.segments li{counter-increment:part;border:1px dashed #9aa5b8;border-radius:8px;
padding:8px 12px 8px 40px;margin-bottom:8px;position:relative;font-size:14px;
overflow-wrap:anywhere;white-space:pre-wrap;min-height:39px}
.segments li[dir=rtl]{padding:8px 40px 8px 12px}
.segments li::before{content:counter(part);position:absolute;inset-inline-start:12px;
color:var(--faint);font-weight:700}
.lock .screen{display:block;min-height:330px;padding:30px 10px 18px;
background:linear-gradient(165deg,#2d4a7c,#7b5b9a 55%,#d08a73)}
.clock{color:#fff;font-size:60px;line-height:1.1;text-align:center;font-weight:300;
margin-bottom:22px}
.notice{background:rgba(250,250,252,.94);border-radius:20px;padding:11px 13px;display:flex;
gap:10px;font-size:14px;line-height:1.32}
.notice .words{flex:1;min-width:0;display:grid;gap:1px}
.notice b{white-space:nowrap;overflow:hidden;text-overflow:ellipsis;font-size:15px}
.notice .words span{display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:4;
overflow:hidden;overflow-wrap:anywhere}
.icon{flex:none;width:36px;height:36px;border-radius:9px;background:#0f6b52;color:#fff;
display:grid;place-items:center;font-weight:700}
.android .notice{display:block;border-radius:24px;padding:14px 16px}
.android .app{display:flex;gap:8px;align-items:center;font-size:12px;color:var(--faint);
margin-bottom:6px}
.android .icon{width:20px;height:20px;border-radius:50%;font-size:11px}
.android .clock{text-align:start;padding-inline-start:12px;font-weight:400}
.picture{display:grid;place-items:center;text-align:center;background:
repeating-linear-gradient(45deg,#e2e8f0 0 9px,#edf1f6 9px 18px);color:#4a5568;
font-size:12px;line-height:1.3;border-radius:10px;overflow:hidden;padding:6px}
img.picture{padding:0;object-fit:cover}
.thumb{width:40px;height:40px;font-size:0;padding:0;flex:none}
.wide{display:grid;width:100%;height:120px;margin:0 0 8px}
.android .wide{margin:10px 0 0}
.app .page{flex:1;background:#eef1f5;min-height:330px;padding:14px;display:flex;
flex-direction:column;gap:12px}
.app .page i{display:block;height:44px;border-radius:10px;background:#e0e5ec}
.message{flex:none;background:#fff;border-radius:16px;overflow:hidden;
box-shadow:0 4px 16px rgba(29,36,51,.14)}
.message .wide{border-radius:0;margin:0}
.message .inside{padding:14px 16px 16px}.message b{font-size:17px;line-height:1.3}
.message p{margin:4px 0 0;font-size:15px;overflow-wrap:anywhere}
.message.banner{display:flex;align-items:center}.message.banner .wide{width:84px;flex:none}
.message.modal{margin:auto 6px;outline:1000px solid rgba(29,36,51,.28);z-index:1}
.message.full{flex:1;margin:-14px;border-radius:0}
.app .page:has(.modal),.app .page:has(.full){position:relative;overflow:hidden}
.app .page:has(.full) i{display:none}
.actions{display:flex;flex-wrap:wrap;gap:8px;margin-top:12px}.actions:empty{display:none}
.button{background:#0f6b52;color:#fff;border-radius:99px;padding:7px 16px;font-size:14px;
font-weight:600}
.button.quiet{background:none;color:#0f6b52;box-shadow:inset 0 0 0 1px #9fb8ae}
.whatsapp .bar{background:#075e54;color:#fff;border:0;text-align:start}
.whatsapp .talk{background:#e9e1d6}
.whatsapp .bubble{background:#fff;border-radius:10px;border-start-start-radius:2px;
padding:6px;box-shadow:0 1px 1px rgba(0,0,0,.14)}
.whatsapp .bubble p{padding:3px 5px 5px}
.tap{display:block;border-top:1px solid #dfe3ea;color:#0a6fa8;text-align:center;
padding:8px;font-weight:600;font-size:14px}
.messenger .bubble{padding:0;overflow:hidden}.messenger .bubble p{padding:9px 13px}
.messenger .tap{color:#0b57d0;background:#f6f6f7}
.slack{flex:1 1 340px;max-width:460px;align-self:flex-start}
.post{display:flex;gap:10px;padding:18px 18px 22px;font-size:15px}
.post p{margin:2px 0 0;overflow-wrap:anywhere}.badge{font-size:10px;background:#e7ebf1;
border-radius:3px;padding:1px 4px;color:var(--faint);font-weight:700}
.slack .button{border-radius:6px;color:var(--ink);box-shadow:inset 0 0 0 1px #b9c0cc}
details{margin-top:16px;border-top:1px solid var(--rule);padding-top:12px}
summary{cursor:pointer;font-weight:600;font-size:15px}
.text{font:13.5px/1.55 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;
white-space:pre-wrap;overflow-wrap:anywhere;margin:10px 0 0;padding:14px 16px;
background:#f8f9fb;border-radius:10px;max-width:760px}
.window .text{margin:0;border-radius:0;background:#fff}
.headers{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;margin:10px 0 0}
.headers dd{margin:0 0 6px;overflow-wrap:anywhere}.headers dt{color:var(--faint)}
:focus-visible{outline:3px solid var(--blue);outline-offset:2px;border-radius:4px}
@media(max-width:900px){body{display:block}nav{padding:16px 20px 0}nav>ul{position:static;
max-height:none}main{padding:0 12px 40px}article{padding:16px}}
@media print{nav{display:none}body{display:block}article{break-inside:avoid}}
""".strip()
