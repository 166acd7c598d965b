"""A loyalty and referral rewards service: points, booked once and for ever."""
