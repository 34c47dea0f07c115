"""What is stored, what is planned and what is here, in lines."""
