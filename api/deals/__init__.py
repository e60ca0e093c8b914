"""The deals: one uploaded file, checked cell by cell, and what is answered from it."""
