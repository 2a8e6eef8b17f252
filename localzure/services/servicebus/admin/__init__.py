"""The administration API: entities as Atom entries over HTTP, as `ServiceBusAdministrationClient` uses it.

The service hands `http.AdminService` to the server; `operations` is the table of what there is.
"""
