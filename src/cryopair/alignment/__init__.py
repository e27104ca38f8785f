"""Movies that no one has aligned: the motion of the specimen, estimated from their frames."""
