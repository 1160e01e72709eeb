"""Official data sets from where they are published: downloaded, checked, unpacked."""
