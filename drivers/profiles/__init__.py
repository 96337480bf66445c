"""Device profiles: what each product is, declared as data, and the one interpreter that reads them."""
