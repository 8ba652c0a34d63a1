"""HTTP requests and answers as values: what every door decides, whoever brings them.

`journeykit.local` reads them from sockets, `journeykit.aws` gets them from API Gateway.
"""
