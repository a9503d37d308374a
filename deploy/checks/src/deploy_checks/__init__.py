"""What is deployed, compared with what the code says and with what we want of every pod."""
