"""From picks to particles: coordinates on the raw micrographs, and the images cut out there."""
