"""What a verification found, in forms for people and for programs: table, JSON, JUnit XML, one HTML page."""
