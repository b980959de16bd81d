"""The local stack itself: the servers, the local Redshift, what killed tests leave."""
