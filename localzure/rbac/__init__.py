"""Role-based access control: the roles that identities can be assigned, and who has which where."""
