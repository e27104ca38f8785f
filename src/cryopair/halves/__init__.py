"""From a movie and its motion to the even and odd half-sums, exactly as RELION makes the micrograph."""
