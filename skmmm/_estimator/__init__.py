"""What the regressor is made of: reading, fitting, answering, saving."""
