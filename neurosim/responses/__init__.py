"""From raw answers to what is compared: averages over trials and time, reliability, read-out."""
