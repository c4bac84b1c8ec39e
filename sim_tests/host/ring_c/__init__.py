"""The C driver of the command ring, on golden's ring behind the registers."""
