"""Media: what a rendered template is for e-mail, SMS, push and the others; checked, measured.

Each module has a value (`Email`, `Sms`, …) and the function that makes it of a message
(`email_of`, `sms_of`, …). A channel's `render` calls one of them, and its `send` hands the
value to a provider. They are pure: whoever previews a message calls them as well.
"""
